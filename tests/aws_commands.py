"""Says what is wrong with commands of the AWS CLI, one a line of the input: an operation, a waiter or an option that AWS does not have.

The AWS CLI makes its commands out of the same descriptions that botocore has, so neither an account nor the CLI is needed. It runs in
an environment with botocore, such as the one of .ci/tools sam.
"""

import shlex
import sys

from botocore import xform_name
from botocore.session import get_session

# Commands of the CLI's own, which no service describes.
OF_THE_CLI = {"cloudformation deploy", "cloudformation package", "configure sso", "s3 rb", "s3 sync"}
# Options that the CLI adds to every operation.
OF_EVERY_OPERATION = {"cli-binary-format", "max-items", "output", "query"}


def complaint(command: str) -> str | None:
    service, operation, *rest = shlex.split(command, comments=True)[1:]
    if f"{service} {operation}" in OF_THE_CLI:
        return None
    model = get_session().get_service_model(service)
    if operation == "wait":
        waiters = get_session().get_waiter_model(service)
        names = {xform_name(name, "-"): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        operation, *rest = rest
    else:
        names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return f"{service} has no {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): member for name, member in (shape.members if shape else {}).items()}
    options = {word.removeprefix("--") for word in rest if word.startswith("--")} - OF_EVERY_OPERATION
    negated = {name for name in options if name.startswith("no-") and getattr(members.get(name[3:]), "type_name", "") == "boolean"}
    if unknown := options - negated - set(members):
        return f"{service} {operation} has no {unknown}"
    if missing := {xform_name(name, "-") for name in (shape.required_members if shape else [])} - options - negated:
        return f"{service} {operation} needs {missing}"
    return None


complaints = [f"{found}: {line}" for line in sys.stdin if (found := complaint(line))]
sys.exit("\n".join(complaints) or None)
