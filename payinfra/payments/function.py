"""What operators ask of the payments function by invoking it: it knows how payments are stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.json_text import parse_json
from payinfra.core.naming import FUNCTION_ALIAS

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs


@dataclass(frozen=True)
class FunctionOperations:
    """The function of one region. Needs lambda:InvokeFunction."""

    aws: "Aws"
    outputs: "RegionOutputs"

    def ask(self, operation: str, **arguments: object) -> Mapping[str, Any]:
        """The answer to an operation.

        Raises:
            EnvironmentUnusable: the function failed, or a service behind it does not answer.
            GateFailed: the function refused.
            ClientError, BotoCoreError: Lambda cannot be reached, or refuses.
        """
        answer = self.aws.functions(self.outputs.region).invoke(
            FunctionName=self.outputs.lambda_function_name,
            Qualifier=FUNCTION_ALIAS,
            Payload=json.dumps({"operation": operation, **arguments}).encode(),
        )
        where = f"The payments function in {self.outputs.region}"
        if "FunctionError" in answer:
            raise EnvironmentUnusable(
                f"{where} failed at `{operation}`.",
                f"See the log group {self.outputs.lambda_log_group_name}.",
            )
        said: dict[str, Any] = parse_json(answer["Payload"].read())
        problem = said.get("problem")
        if problem is None:
            return said
        if problem["status"] >= 500:
            raise EnvironmentUnusable(f"{where} could not do `{operation}`: {problem['title']}", "Try again.")
        raise GateFailed(f"{where} refused `{operation}`: {problem['title']} {problem['detail']}")
