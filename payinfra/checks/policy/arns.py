"""How the ARNs that resources have as attributes are spelled.

Source: the Service Authorization Reference, "Resource types defined by …" of each service.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ArnForm:
    """How an ARN is made of a region, an account and a name.

    Attributes:
        text: the form, with `{region}`, `{account}` and `{name}`.
        name: the property that holds the name; empty where AWS makes up an id or adds to the name.
    """

    text: str
    name: str = "name"

    def spelled(self, *, region: object, account: str, name: str) -> str:
        """The ARN of one resource."""
        return self.text.format(region=region, account=account, name=name)


_CLUSTER = ArnForm("arn:aws:rds:{region}:{account}:cluster:{name}", "cluster_identifier")
_KEY = ArnForm("arn:aws:kms:{region}:{account}:key/{name}", "")
_FORMS: Mapping[tuple[str, str], ArnForm] = {
    ("aws_api_gateway_rest_api", "execution_arn"): ArnForm(
        "arn:aws:execute-api:{region}:{account}:{name}", ""
    ),
    ("aws_cloudwatch_event_rule", "arn"): ArnForm("arn:aws:events:{region}:{account}:rule/{name}"),
    ("aws_cloudwatch_log_group", "arn"): ArnForm("arn:aws:logs:{region}:{account}:log-group:{name}"),
    ("aws_cloudwatch_metric_alarm", "arn"): ArnForm(
        "arn:aws:cloudwatch:{region}:{account}:alarm:{name}", "alarm_name"
    ),
    ("aws_db_instance", "arn"): ArnForm("arn:aws:rds:{region}:{account}:db:{name}", "identifier"),
    ("aws_docdb_cluster", "arn"): _CLUSTER,
    ("aws_dynamodb_table", "arn"): ArnForm("arn:aws:dynamodb:{region}:{account}:table/{name}"),
    ("aws_dynamodb_table", "stream_arn"): ArnForm(
        "arn:aws:dynamodb:{region}:{account}:table/{name}/stream/0", ""
    ),
    ("aws_iam_role", "arn"): ArnForm("arn:aws:iam::{account}:role/{name}", ""),
    ("aws_kms_key", "arn"): _KEY,
    ("aws_kms_replica_key", "arn"): _KEY,
    ("aws_lambda_function", "arn"): ArnForm(
        "arn:aws:lambda:{region}:{account}:function:{name}", "function_name"
    ),
    ("aws_neptune_cluster", "arn"): _CLUSTER,
    ("aws_rds_cluster", "arn"): _CLUSTER,
    ("aws_s3_bucket", "arn"): ArnForm("arn:aws:s3:::{name}", "bucket"),
    ("aws_secretsmanager_secret", "arn"): ArnForm(
        "arn:aws:secretsmanager:{region}:{account}:secret:{name}", ""
    ),
    ("aws_sns_topic", "arn"): ArnForm("arn:aws:sns:{region}:{account}:{name}"),
    ("aws_sqs_queue", "arn"): ArnForm("arn:aws:sqs:{region}:{account}:{name}"),
    ("aws_ssm_parameter", "arn"): ArnForm("arn:aws:ssm:{region}:{account}:parameter/{name}", ""),
}
"""By a type in Terraform and its attribute. Names of roles have a path, those of parameters a slash before:
they do not follow from one property."""


def arn_form(type: str, attribute: str = "arn") -> ArnForm | None:
    """How an attribute of a type is spelled; None where that is not known here."""
    return _FORMS.get((type, attribute))


def own_arn_form(type: str) -> ArnForm:
    """How the ARN of a type is spelled.

    Raises:
        LookupError: that is not known here.
    """
    return _FORMS[type, "arn"]


def has_spelled_arn(type: str) -> bool:
    """Whether the ARN of a type follows from its properties."""
    form = arn_form(type)
    return form is not None and form.name != ""
