"""The kernel modules that an image carries."""

from pathlib import Path

from lab.image.kernel_modules import COPIED_LISTS, copy_modules


def test_images_carry_the_modules_of_every_kernel_that_the_probe_may_choose(tmp_path: Path) -> None:
    for version in ("6.1.176", "7.0.1"):
        source = tmp_path / "host" / version
        (source / "kernel").mkdir(parents=True)
        (source / "kernel" / "nfs.ko").write_text(version)
        (source / "modules.dep").write_text("kernel/nfs.ko:\n")
        for name in COPIED_LISTS:
            (source / name).touch()
    copy_modules(("nfs",), tmp_path / "image", ("7.0.1", "6.1.176"), tmp_path / "host")
    for version in ("6.1.176", "7.0.1"):
        assert (tmp_path / "image" / version / "kernel" / "nfs.ko").read_text() == version
        assert (tmp_path / "image" / version / "modules.order").exists()
