"""Secrets that scripts assign to variables."""

import base64

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

SECRET = "#!/bin/bash\nexport DB_PASSWORD=hunter2hunter2\n"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (SECRET, Kind.FAIL),
        ("#!/bin/sh\necho \"API_KEY='f00dcafef00dcafe'\" >> /etc/pay", Kind.FAIL),
        (base64.b64encode(SECRET.encode()).decode(), Kind.FAIL),
        ('${base64encode("export DB_PASSWORD=hunter2hunter2")}', Kind.FAIL),
        ("export DB_PASSWORD=$(aws ssm get-parameter --name /pay/db)", Kind.PASS),
        ("export DB_PASSWORD_PARAMETER=/pay/db/password", Kind.PASS),
        ("export DB_PASSWORD=${random_password.db.result}", Kind.PASS),
        ("export API_KEY=/pay/api-key", Kind.PASS),
        ("export REGION=eu-west-1", Kind.PASS),
        ("abcd", Kind.PASS),
    ],
)
@pytest.mark.parametrize("type_", ["aws_instance", "aws_launch_template"])
def test_a_script_assigns_no_secret(type_: str, script: str, kind: Kind) -> None:
    assert worst("PI-SEC-003", {type_: {"x": {"user_data": script}}}) is kind
