"""What talks to the kernel, against a real one, in a network namespace made for it."""

from tests.kit.namespaces import seen_in_a_namespace


def test_outsiders_are_named_by_what_they_do_with_the_data_and_ended_however_they_hold_it() -> None:
    seen = seen_in_a_namespace("netns_outsiders")
    opened, own = "has /mnt/data/file open", "has a mount of its own at /mnt/"
    assert seen["inside"] == {}, "the service's own control group"
    assert seen["first"] == {
        "reader": [opened, False],
        "stubborn": [opened, False],
        "writer": [opened, True],
        "bound": ["has /mnt/elsewhere/file open", True],
        "worker": ["works in /mnt/data", False],
        "private": [f"{own}data, {own}elsewhere", True],
    }, "a slave of our mount goes with it"
    assert seen["detached"] == ["has /file open on a detached mount", True]
    assert seen["ended"] == sorted(seen["first"])
    assert (seen["left"], seen["alive"], seen["after"]) == ([], ["idle", "slave"], {})


def test_the_capture_of_chaos_keeps_data_and_syns_and_nothing_else() -> None:
    seen = seen_in_a_namespace("netns_capture")
    assert seen == {"strange": 0, "syns": 1, "bare": 0, "is_whole": True, "lost": 0}


def test_links_are_configured_as_planned_twice_and_the_main_table_untouched() -> None:
    seen = seen_in_a_namespace("netns_links")
    assert (seen["unknown"], seen["device"]) == (None, "vec1")
    before, once, twice = seen["lacks"]
    assert len(before) == 5
    assert (once, twice) == ([], [])
    assert seen["frames"] == [1500, 9001, 9001], "as large as those of the primary device"
    assert seen["tables"] == [str(seen["is_own_table"])], "the stale rule is gone, ours is there once"
    assert seen["reply"] == "10.0.100.1 dev vec1"
    assert seen["reply_near"] == "link dev vec1"
    assert seen["own_traffic"] == "10.0.0.1 dev eth0"
    assert seen["own_traffic_to_service_subnet"] == "10.0.0.1 dev eth0"


def test_the_status_check_reaches_a_machine_that_is_cut_off_and_not_one_that_hangs() -> None:
    seen = seen_in_a_namespace("netns_arp")
    assert seen == {"healthy": True, "another address": False, "cut off": True, "hung": False}


def test_a_lease_is_renewed_and_taken_over_on_a_file_system_without_a_free_byte() -> None:
    seen = seen_in_a_namespace("full_file_system")
    assert seen["held"] == [[True, True]] * 5
    assert (seen["without"]["cause"], "No space left" in seen["without"]["failed"]) == ("file-system-full", True)
    assert seen["published"] is True
    assert [is_read_back for is_read_back, _ in seen["next"]] == [True] * 3


def test_what_a_file_system_that_refuses_or_is_another_one_says() -> None:
    seen = seen_in_a_namespace("refusing_file_system")
    good = seen["good"]
    assert (good["left"], "failed" in good) == ("b" * 32, False)
    assert (seen["full"]["left"], "failed" in seen["full"]) == ("c" * 32, False), "to write over it needs no space"
    assert (seen["read-only"]["cause"], seen["read-only"]["left"]) == ("read-only", "c" * 32)
    assert (seen["foreign"]["found"], seen["foreign"]["left"]) == ("theirs", None), "nothing is written there"
    assert (seen["below"]["found"], seen["below"]["left"]) == ("", None), "nor to the directory below the mount"
    assert len({good["device"], seen["foreign"]["device"], seen["below"]["device"]}) == 3
