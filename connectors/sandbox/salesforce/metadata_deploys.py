"""Deployments of metadata: each worked off beside the requests, applied to the schema whole or not at all."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connectors.sandbox.salesforce import metadata_package, notation
from connectors.sandbox.salesforce.errors import not_found
from connectors.sandbox.salesforce.ids import Minter
from connectors.sandbox.salesforce.metadata_package import Failure
from connectors.sandbox.salesforce.metadata_plan import OTHER_KINDS, Plan, Planner, Success
from connectors.sandbox.salesforce.metadata_xml import MisfitError
from connectors.sandbox.salesforce.records import Org


class Status(StrEnum):
    """Salesforce's words for how a deployment stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_PARTIAL = "SucceededPartial"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The deployOptions that make a difference here."""

    is_check_only: bool = False
    rolls_back: bool = True


@dataclass(slots=True)
class Deploy:
    """One deployment and what came of it."""

    deploy_id: str
    user_id: str
    wishes: Wishes
    options: dict[str, Any]
    created_at: datetime
    status: Status = Status.PENDING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    plan: Plan = field(default_factory=Plan)

    def result(self, user_name: str, *, with_details: bool) -> dict[str, Any]:
        """The deployResult."""
        plan = self.plan
        is_done = self.completed_at is not None
        shown: dict[str, Any] = {
            "id": self.deploy_id,
            "checkOnly": self.wishes.is_check_only,
            "ignoreWarnings": bool(self.options.get("ignoreWarnings", False)),
            "rollbackOnError": self.wishes.rolls_back,
            "runTestsEnabled": False,
            "status": self.status.value,
            "done": is_done,
            "success": self.status in {Status.SUCCEEDED, Status.SUCCEEDED_PARTIAL},
            "numberComponentsDeployed": len(plan.successes),
            "numberComponentsTotal": len(plan.successes) + len(plan.failures),
            "numberComponentErrors": len(plan.failures),
            "numberTestsCompleted": 0,
            "numberTestsTotal": 0,
            "numberTestErrors": 0,
            "createdBy": self.user_id,
            "createdByName": user_name,
            "createdDate": notation.instant(self.created_at),
        }
        for name, at in (("startDate", self.started_at), ("completedDate", self.completed_at)):
            if at is not None:
                shown[name] = notation.instant(at)
        if with_details:
            shown["details"] = {
                "componentFailures": [self._failure(each) for each in plan.failures],
                "componentSuccesses": [self._success(each) for each in plan.successes],
                "allComponentMessages": [],
                "runTestResult": {"numFailures": 0, "numTestsRun": 0, "successes": [], "failures": []},
            }
        return shown

    def _failure(self, failure: Failure) -> dict[str, Any]:
        where = {"lineNumber": failure.line, "columnNumber": failure.column} if failure.line else {}
        said = {"problem": failure.problem, "problemType": "Error", "success": False}
        return {**self._component(failure), **said, "changed": False, "created": False, **where}

    def _success(self, success: Success) -> dict[str, Any]:
        is_new = success.is_new
        return {**self._component(success), "success": True, "changed": True, "created": is_new}

    def _component(self, component: Failure | Success) -> dict[str, Any]:
        return {
            "componentType": component.kind,
            "fullName": component.full_name,
            "fileName": component.file_name,
            "deleted": False,
            "createdDate": notation.instant(self.created_at),
        }


class Deploys:
    """The deployments of an org, and the tabs, layouts, permission sets and apps that they left there."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.held: dict[str, set[str]] = {kind: set() for kind in OTHER_KINDS}
        self._deploys: dict[str, Deploy] = {}
        self._minter = Minter("0Af")
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, content: bytes, options: dict[str, Any], user_id: str) -> Deploy:
        """Take a deployment on."""
        wishes = Wishes(options.get("checkOnly") is True, options.get("rollbackOnError") is not False)
        deploy = Deploy(self._minter.mint(), user_id, wishes, options, self._org.now())
        self._deploys[deploy.deploy_id] = deploy
        task = asyncio.create_task(self._work(deploy, content), name=f"sandbox deploy {deploy.deploy_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return deploy

    def get(self, given: str) -> Deploy:
        """A deployment by its 15- or 18-character id; raises NOT_FOUND."""
        for deploy in self._deploys.values():
            if given in {deploy.deploy_id, deploy.deploy_id[:15]}:
                return deploy
        raise not_found()

    async def stop(self) -> None:
        """End what is under way, for the server ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, deploy: Deploy, content: bytes) -> None:
        await asyncio.sleep(0)  # the one who asked hears of it first
        deploy.status, deploy.started_at = Status.IN_PROGRESS, self._org.now()
        try:
            package = metadata_package.opened(content)
            deploy.plan = Planner(self._org.schema, self.held).plan(package)
        except MisfitError as error:
            at = (error.line, error.column)
            deploy.plan.failures.append(Failure("", "package.xml", "package.xml", error.problem, *at))
        is_refused = bool(deploy.plan.failures) and (deploy.wishes.rolls_back or not deploy.plan.successes)
        if not is_refused and not deploy.wishes.is_check_only:
            self._apply(deploy.plan)
        if is_refused:
            deploy.status = Status.FAILED
        else:
            deploy.status = Status.SUCCEEDED_PARTIAL if deploy.plan.failures else Status.SUCCEEDED
        deploy.completed_at = self._org.now()

    def _apply(self, plan: Plan) -> None:
        self._org.schema.declare(plan.document)
        for kind, names in plan.others.items():
            self.held[kind] |= names
