"""The answers of the lab's DNS server: Route 53's private zones and the names of EFS file systems. Pure.

For: `Names.answer` turns one query packet of one asker into one answer packet; `lab.edges.names_server` serves it over
UDP and TCP. Guarantees: records are looked up for every query, without a cache; the name of a file system gives the
mount target in the asker's zone; every other query is answered at once, and none is forwarded.
Does not: know wildcard records, routing policies, DNSSEC or zone transfer.

AWS sources: Route 53 developer guide "Considerations when working with a private hosted zone" (a matching private
zone without the record: NXDOMAIN, no fall-through), "SOA record that Route 53 creates" (its default value); EFS user
guide "Mounting EFS file systems" (names resolve to the mount target of the asker's zone).
Chosen here: a name in no zone is NXDOMAIN, not REFUSED, because resolvers try again and wait after REFUSED.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dnslib import CLASS, EDNS0, QTYPE, RCODE, RD, RR, SOA, DNSError, DNSHeader, DNSRecord

EFS_TTL_S = 60
UDP_SIZE = 1232
CNAME_LIMIT = 8
DEFAULT_SOA = "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
_EFS_NAME = re.compile(r"(?:(?P<zone>[a-z0-9-]+)\.)?(?P<id>fs-[0-9a-z]+)\.efs\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record set as Route 53 holds it. Values are in Route 53's text form."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HostedZone:
    name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome for one question: `rcode` by DNS name, answers, and the negative answer's SOA (owner, text, TTL)."""

    rcode: str
    answers: tuple[Record, ...] = ()
    soa: tuple[str, str, int] | None = None


Zones = Callable[[], Iterable[HostedZone]]
MountTargets = Callable[[str], "Mapping[str, str] | None"]  # file system id -> zone name -> address
ZoneOf = Callable[[str], "str | None"]  # source address -> zone name


class Names:
    """Answers queries from the state that the three look-ups give. Safe to call from many threads if they are."""

    def __init__(self, zones: Zones, mount_targets: MountTargets, zone_of: ZoneOf) -> None:
        """`mount_targets` gives None for an unknown file system; `zone_of` None for an address in no zone."""
        self._zones = zones
        self._mount_targets = mount_targets
        self._zone_of = zone_of

    def find(self, name: str, record_type: str, source_address: str) -> Finding:
        """The outcome of one question of class IN."""
        name = normal(name)
        file_system = _EFS_NAME.fullmatch(name)
        zone = _best_zone(self._zones(), name)
        if zone is None and file_system is not None:
            return self._find_mount_target(file_system, record_type, source_address)
        if zone is None:
            return Finding(rcode="NXDOMAIN", soa=("", DEFAULT_SOA, 60))
        return _find_in_zone(zone, name, record_type)

    def answer(self, packet: bytes, source_address: str, *, udp: bool) -> bytes | None:
        """The answer packet to a query packet; None where nothing must be sent (no query, or not even a header)."""
        try:
            query = DNSRecord.parse(packet)
        except (DNSError, ValueError, IndexError):
            return _bare_reply(packet, RCODE.FORMERR)
        if query.header.qr or len(query.questions) != 1:
            return None if query.header.qr else _bare_reply(packet, RCODE.FORMERR)
        question = query.q
        reply = query.reply(ra=1, aa=0)
        if query.header.opcode != 0:
            reply.header.rcode = RCODE.NOTIMP
        elif question.qclass != CLASS.IN:
            reply.header.rcode = RCODE.REFUSED
        else:
            _fill(reply, self.find(str(question.qname), QTYPE.get(question.qtype), source_address))
        offered = [int(extra.edns_len) for extra in query.ar if extra.rtype == QTYPE.OPT]
        if offered:
            reply.add_ar(EDNS0(udp_len=UDP_SIZE))
        room = max(512, min(UDP_SIZE, offered[0])) if offered else 512
        wire = bytes(reply.pack())
        if udp and len(wire) > room:
            reply.rr, reply.auth, reply.header.tc = [], [], 1  # not dnslib's truncate(): it drops the question as well
            wire = bytes(reply.pack())
        return wire

    def _find_mount_target(self, match: re.Match[str], record_type: str, source_address: str) -> Finding:
        nothing = (f"efs.{match['region']}.amazonaws.com", DEFAULT_SOA, EFS_TTL_S)
        by_zone = self._mount_targets(match["id"])
        zone = match["zone"] or self._zone_of(source_address)
        address = by_zone.get(zone) if by_zone is not None and zone is not None else None
        if address is None:
            return Finding(rcode="NXDOMAIN", soa=nothing)
        if record_type != "A":
            return Finding(rcode="NOERROR", soa=nothing)
        return Finding(rcode="NOERROR", answers=(Record(name=match[0], type="A", ttl_s=EFS_TTL_S, values=(address,)),))


def normal(name: str) -> str:
    """Lower case, without the final dot: DNS names are compared without case (RFC 4343)."""
    return name.rstrip(".").lower()


def _best_zone(zones: Iterable[HostedZone], name: str) -> HostedZone | None:
    """The most specific zone that contains `name`, as the VPC's resolver chooses."""
    matching = [zone for zone in zones if _is_below(name, normal(zone.name))]
    return max(matching, key=lambda zone: len(normal(zone.name)), default=None)


def _is_below(name: str, zone_name: str) -> bool:
    return name == zone_name or name.endswith("." + zone_name)


def _find_in_zone(zone: HostedZone, name: str, record_type: str) -> Finding:
    answers: list[Record] = []
    for _ in range(CNAME_LIMIT):
        here = [record for record in zone.records if normal(record.name) == name]
        exact = [record for record in here if record_type in (record.type, "ANY")]
        if exact:
            return Finding(rcode="NOERROR", answers=(*answers, *exact))
        alias = next((record for record in here if record.type == "CNAME"), None)
        if alias is not None:
            answers.append(alias)
            name = normal(alias.values[0])
            if _is_below(name, normal(zone.name)):
                continue
            return Finding(rcode="NOERROR", answers=tuple(answers))
        exists = bool(here) or any(normal(record.name).endswith("." + name) for record in zone.records)
        exists = exists or name == normal(zone.name)
        return Finding(rcode="NOERROR" if exists else "NXDOMAIN", answers=tuple(answers), soa=_soa(zone))
    return Finding(rcode="SERVFAIL")


def _soa(zone: HostedZone) -> tuple[str, str, int]:
    """The zone's SOA for a negative answer; its TTL is the smaller of record TTL and SOA minimum (RFC 2308)."""
    for record in zone.records:
        fields = record.values[0].split() if record.type == "SOA" and record.values else []
        if normal(record.name) == normal(zone.name) and len(fields) == 7:
            return (normal(zone.name), record.values[0], min(record.ttl_s, int(fields[6])))
    return (normal(zone.name), DEFAULT_SOA, 900)


def _fill(reply: DNSRecord, finding: Finding) -> None:
    reply.header.rcode = getattr(RCODE, finding.rcode)
    for record in finding.answers:
        for value in record.values:
            for line in RR.fromZone(f"{normal(record.name)}. {record.ttl_s} IN {record.type} {value}"):
                reply.add_answer(line)
    if finding.soa is not None:
        owner, text, ttl_s = finding.soa
        primary, mailbox, *times = text.split()
        data: RD = SOA(primary, mailbox, tuple(int(number) for number in times))
        reply.add_auth(RR(owner or ".", QTYPE.SOA, ttl=ttl_s, rdata=data))


def server_failure(packet: bytes) -> bytes | None:
    """The answer to `packet` where none could be found out."""
    return _bare_reply(packet, RCODE.SERVFAIL)


def _bare_reply(packet: bytes, rcode: int) -> bytes | None:
    if len(packet) < 12 or packet[2] & 0x80:
        return None
    return bytes(DNSRecord(DNSHeader(id=int.from_bytes(packet[:2], "big"), qr=1, rcode=rcode)).pack())
