"""What every JUnit document has. There is no standard; this keeps to what CI systems all read."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from payinfra.report.printable import visible


def suite(name: str) -> Element:
    """A test suite without cases."""
    return Element("testsuite", name=visible(name))


def case(of: Element, group: str, name: str) -> Element:
    """A test case at the end of a suite; it has passed as long as nothing is put into it."""
    return SubElement(of, "testcase", classname=visible(group), name=visible(name))


def document(of: Element) -> str:
    """The suite, with its cases counted, as one XML document."""
    for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        of.set(kind, str(sum(1 for _ in of.iter(tag))))
    of.set("skipped", str(sum(1 for _ in of.iter("skipped"))))
    root = Element("testsuites")
    root.append(of)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
