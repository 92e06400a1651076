"""Who a zone's parent delegates it to: a referral, which is no answer of the zone's own."""

import dns.message
import dns.rrset
import pytest

from payinfra.clients.dns import DnspythonDns, NameServer

ZONE, PARENTS = "pay.example.com", NameServer("192.0.2.1")


def says(section: str, owner: str, *hosts: str) -> DnspythonDns:
    """Name servers that give NS records in a section of their answer."""

    def exchange(question: dns.message.Message, server: NameServer) -> dns.message.Message:
        assert server == PARENTS
        said = dns.message.make_response(question)
        if hosts:
            getattr(said, section).append(dns.rrset.from_text(owner, 172800, "IN", "NS", *hosts))
        return said

    return DnspythonDns(exchange=exchange)


@pytest.mark.parametrize("section", ["answer", "authority"])
def test_a_referral_names_the_servers_as_an_answer_does(section: str) -> None:
    asked = says(section, f"{ZONE}.", "ns-2.example.", "ns-1.example.").ask(PARENTS, ZONE, "NS")
    assert (asked.data, asked.ttl_s) == (("ns-1.example", "ns-2.example"), 172800)


@pytest.mark.parametrize("owner", ["example.com.", "com."])
def test_a_referral_to_another_zone_is_none(owner: str) -> None:
    assert says("authority", owner, "ns.example.").ask(PARENTS, ZONE, "NS").data == ()


def test_only_name_servers_are_referred_to() -> None:
    assert says("authority", f"{ZONE}.", "ns.example.").ask(PARENTS, ZONE, "A").data == ()
    assert says("authority", f"{ZONE}.").ask(PARENTS, ZONE, "NS").data == ()
