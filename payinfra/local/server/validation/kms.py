"""What KMS refuses (KMS developer guide, "Key states of AWS KMS keys", and the KMS API reference)."""

import base64
import json
import re
from typing import Any

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import (
    AwsRefusal,
    Rule,
    Rules,
    ServiceCall,
    for_each,
    joined,
    refuse_if,
    texts_in,
)
from payinfra.local.server.validation.policies import PolicyKind, refuse_policy, statements_in
from payinfra.local.server.validation.tags import tags_are_possible

INVALID, STATE, DISABLED = "ValidationException", "KMSInvalidStateException", "DisabledException"
MALFORMED = "MalformedPolicyDocumentException"
SYMMETRIC = "SYMMETRIC_DEFAULT"
NOT_WHILE_PENDING_DELETION = (
    *("CreateAlias", "CreateGrant", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation"),
    *("ReEncrypt", "RotateKeyOnDemand", "ScheduleKeyDeletion", "TagResource", "UntagResource"),
    *("UpdateAlias", "UpdateKeyDescription"),
)
NOT_WHILE_DISABLED = (
    *("CreateGrant", "DisableKeyRotation", "EnableKeyRotation", "ReEncrypt", "RotateKeyOnDemand"),
)
OF_SYMMETRIC_KEYS = ("EnableKeyRotation", "DisableKeyRotation")
PLAINTEXT_MOST = 4096
DATA_KEY_MOST = 1024


def _key(call: ServiceCall) -> Any:
    named = call.text("TargetKeyId") or call.text("DestinationKeyId") or call.text("KeyId")
    return call.module("kms")._resolve_key(named)


def not_while_pending_deletion(call: ServiceCall) -> None:
    """AWS: a key that is to be deleted is neither used, changed, tagged nor named."""
    found = _key(call)
    pending = found and found["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion")
    refuse_if(bool(pending), STATE, f"{found and found['Arn']} is pending deletion.")


def not_while_disabled(call: ServiceCall) -> None:
    """AWS: a disabled key is not used, and gets neither grants nor another rotation."""
    found = _key(call)
    refuse_if(
        bool(found and found["KeyState"] == "Disabled"), DISABLED, f"{found and found['Arn']} is disabled."
    )


def only_while_pending_deletion(call: ServiceCall) -> None:
    """AWS: CancelKeyDeletion takes a key that is to be deleted, and no other."""
    found = _key(call)
    refuse_if(
        bool(found and found["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion")),
        STATE,
        f"{found and found['Arn']} is not pending deletion.",
    )


def rotation_is_of_symmetric_keys(call: ServiceCall) -> None:
    """AWS: only symmetric encryption keys with KMS's own material rotate; of multi-Region keys the primary
    (KMS API reference, EnableKeyRotation)."""
    found = _key(call) or {}
    replica = found.get("_mrk_primary_region", call.region) != call.region
    other = found.get("KeySpec", SYMMETRIC) != SYMMETRIC or found.get("Origin", "AWS_KMS") != "AWS_KMS"
    refuse_if(other or replica, "UnsupportedOperationException", f"{found.get('Arn')} cannot be rotated.")


def usage_fits_the_spec(call: ServiceCall) -> None:
    """AWS: a symmetric key encrypts, and an asymmetric one or one for HMACs needs a usage that it can have
    (KMS API reference, CreateKey, KeyUsage)."""
    spec = call.text("KeySpec") or call.text("CustomerMasterKeySpec") or SYMMETRIC
    usage = call.text("KeyUsage")
    if spec == SYMMETRIC:
        refuse_if(
            usage not in ("", "ENCRYPT_DECRYPT"), INVALID, f"KeyUsage {usage} is not possible for {spec}."
        )
    else:
        refuse_if(not usage, INVALID, f"You must specify a KeyUsage value for {spec}.")


def policy_is_possible(call: ServiceCall) -> None:
    """AWS: a key policy is a policy, and lets its own caller call PutKeyPolicy later, unless the check is
    bypassed (KMS API reference, CreateKey, Policy)."""
    document = call.text("Policy")
    if not document:
        return
    refuse_policy(call, document, PolicyKind.RESOURCE, MALFORMED)
    if call.parameters.get("BypassPolicyLockoutSafetyCheck") is True:
        return
    refuse_if(
        not any(_lets_change_the_policy(one, call) for one in statements_in(json_or_none(document))),
        MALFORMED,
        "The new key policy will not allow you to update the key policy in the future.",
    )


def _lets_change_the_policy(statement: dict[str, Any], call: ServiceCall) -> bool:
    principal = statement.get("Principal")
    named = ["*"] if principal == "*" else list(texts_in((principal or {}).get("AWS")))
    caller = str(call.emulator.core("iam_evaluator").caller_arn())
    role = caller.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rpartition("/")[0]
    mine = {"*", call.account, f"arn:aws:iam::{call.account}:root", caller, role}
    acted = texts_in(statement.get("Action"))
    allowed = any(re.fullmatch(_glob(one), "kms:putkeypolicy") for one in acted)
    return statement["Effect"] == "Allow" and allowed and bool(mine & set(named))


def _glob(action: str) -> str:
    return re.escape(action.lower()).replace(r"\*", ".*").replace(r"\?", ".")


def policy_has_its_name(call: ServiceCall) -> None:
    """AWS: the only valid name of a key policy is `default` (KMS API reference, PutKeyPolicy)."""
    name = call.text("PolicyName")
    refuse_if(name not in ("", "default"), "NotFoundException", f"No such policy exists: {name}")


def alias_is_possible(call: ServiceCall) -> None:
    """AWS: `alias/aws/` is reserved, and an alias stands for a key's id or ARN (KMS API reference,
    CreateAlias)."""
    name = call.text("AliasName")
    refuse_if(name.startswith("alias/aws/"), "NotAuthorizedException", f"{name} is reserved.")
    refuse_if("alias/" in call.text("TargetKeyId"), INVALID, "Aliases must refer to keys. Not aliases")


def alias_keeps_its_kind(call: ServiceCall) -> None:
    """AWS: the former and the new key of an alias have the same usage (KMS API reference, UpdateAlias)."""
    kms = call.module("kms")
    former, new = kms._resolve_key(call.text("AliasName")), _key(call)
    differ = former and new and former.get("KeyUsage") != new.get("KeyUsage")
    refuse_if(
        bool(differ), INVALID, f"Alias {call.text('AliasName')} cannot be changed to {new and new['Arn']}."
    )


def tags_name_a_key(call: ServiceCall) -> None:
    """AWS: tags are put on a key's id or ARN, not on an alias (KMS API reference, TagResource)."""
    refuse_if("alias/" in call.text("KeyId"), "InvalidArnException", f"Invalid keyId {call.text('KeyId')}")


def plaintext_is_short(call: ServiceCall) -> None:
    """AWS: Encrypt takes 1 to 4,096 octets (KMS API reference, Encrypt)."""
    length = len(base64.b64decode(call.text("Plaintext")))
    refuse_if(
        not 1 <= length <= PLAINTEXT_MOST,
        INVALID,
        f"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: {length} octets",
    )


def ciphertext_is_the_keys(call: ServiceCall) -> None:
    """AWS: a ciphertext is opened with the key that it names, and no other one that a caller names (KMS API
    reference, Decrypt, IncorrectKeyException)."""
    kms, named = call.module("kms"), call.text("KeyId")
    if not named:
        return
    key = kms._resolve_key(named)
    refuse_if(key is None, "NotFoundException", f"Invalid keyId {named}")
    blob = base64.b64decode(call.text("CiphertextBlob"))
    inside = next((one for one in kms._keys if str(one).encode() in blob), None)
    refuse_if(
        inside is not None and key is not None and inside != key["KeyId"],
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def usage_allows(usage: str) -> Rule:
    """AWS: a key does what its usage says (KMS API reference, InvalidKeyUsageException)."""

    def rule(call: ServiceCall) -> None:
        found = _key(call)
        refuse_if(
            bool(found and found.get("KeyUsage", "ENCRYPT_DECRYPT") != usage),
            "InvalidKeyUsageException",
            f"{found and found['Arn']} key usage is not valid for {call.operation}.",
        )

    return rule


def one_size_of_a_data_key(call: ServiceCall) -> None:
    """AWS: a data key's size is either KeySpec or NumberOfBytes, up to 1,024 (KMS API reference,
    GenerateDataKey)."""
    octets = call.parameters.get("NumberOfBytes")
    refuse_if(
        bool(call.text("KeySpec")) == (octets is not None),
        INVALID,
        "Please specify either number of bytes or key spec.",
    )
    refuse_if(octets is not None and not 1 <= octets <= DATA_KEY_MOST, INVALID, f"{octets} is out of range.")


def grantee_is_a_principal(call: ServiceCall) -> None:
    """AWS: a grant is to a principal's ARN (KMS API reference, CreateGrant)."""
    for name in ("GranteePrincipal", "RetiringPrincipal"):
        said = call.text(name)
        valid = re.fullmatch(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:.+|[a-z0-9.-]+\.amazonaws\.com", said)
        if said and not valid:
            raise AwsRefusal(
                "InvalidArnException", f"ARN does not refer to a valid principal: {json.dumps(said)}"
            )


TAG = tags_are_possible("Tags", "TagException", name="TagKey")
RULES: Rules = joined(
    for_each(NOT_WHILE_PENDING_DELETION, not_while_pending_deletion),
    for_each(NOT_WHILE_DISABLED, not_while_disabled),
    for_each(OF_SYMMETRIC_KEYS, rotation_is_of_symmetric_keys),
    for_each(("CreateKey", "ReplicateKey", "TagResource"), TAG),
    {"PutKeyPolicy": (policy_has_its_name,)},
    for_each(("CreateKey", "PutKeyPolicy", "ReplicateKey"), policy_is_possible),
    for_each(("CreateAlias", "UpdateAlias"), alias_is_possible),
    for_each(("TagResource", "UntagResource"), tags_name_a_key),
    for_each(("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"), one_size_of_a_data_key),
    {
        "CancelKeyDeletion": (only_while_pending_deletion,),
        "CreateGrant": (grantee_is_a_principal,),
        "CreateKey": (usage_fits_the_spec,),
        "Decrypt": (ciphertext_is_the_keys,),
        "Encrypt": (usage_allows("ENCRYPT_DECRYPT"), plaintext_is_short),
        "Sign": (usage_allows("SIGN_VERIFY"),),
        "UpdateAlias": (alias_keeps_its_kind,),
    },
)
