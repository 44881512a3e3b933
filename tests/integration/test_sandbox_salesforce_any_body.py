"""Whatever JSON a client sends, the sandbox's Salesforce answers or refuses; it never breaks."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import wire
from connectors.sandbox.salesforce import rest_routes
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.ingest import Ingest
from connectors.sandbox.salesforce.metadata_deploys import Deploys
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.rest_call import Call
from connectors.sandbox.salesforce.soql_pages import Pages

ORG = Org()
ORG.schema.declare(
    {
        "Account": {
            "fields": {
                "Ext__c": {"type": "string", "length": 10, "external_id": True, "unique": True},
                "Num__c": {"type": "double", "external_id": True},
            }
        }
    }
)
ACCOUNT = ORG.create("Account", {"Name": "a", "Ext__c": "e"})
NAMES = [
    *(
        "Name",
        "Id",
        "id",
        "attributes",
        "type",
        "records",
        "allOrNone",
        "Ext__c",
        "Num__c",
        "Parent",
        "ParentId",
    ),
    *("LastName", "ids", "fields", "compositeRequest", "url", "method", "referenceId", "body", "CloseDate"),
    *("StageName", "Amount", "NumberOfEmployees", "IsDeleted", "OwnerId"),
]
WORDS = [
    ACCOUNT,
    "Account",
    "Contact",
    "e",
    "001",
    "2026-01-01",
    "@{a.id}",
    "POST",
    "/services/data/v67.0/limits",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(WORDS),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=20,
)
records = st.fixed_dictionaries(
    {
        "attributes": st.fixed_dictionaries(
            {"type": st.sampled_from(["Account", "Contact", "Opportunity", "x"])}
        )
    },
    optional={name: anything for name in NAMES if name[0].isupper()},
)
collections = st.fixed_dictionaries(
    {"records": st.lists(records, max_size=4)}, optional={"allOrNone": st.booleans()}
)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "sobjects/Account"),
        ("POST", "sobjects/Opportunity"),
        ("PATCH", f"sobjects/Account/{ACCOUNT}"),
        ("PATCH", "sobjects/Account/Ext__c/k"),
        ("PATCH", "sobjects/Account/Num__c/5"),
        ("POST", "composite"),
        ("POST", "composite/sobjects"),
        ("PATCH", "composite/sobjects"),
        ("PATCH", "composite/sobjects/Account/Ext__c"),
        ("PATCH", "composite/sobjects/Account/Num__c"),
        ("POST", "composite/sobjects/Account"),
        ("POST", "jobs/ingest"),
    ],
)
@settings(max_examples=60, deadline=None)
@given(body=st.one_of(anything, records, collections))
def test_any_body_is_answered_or_refused(method: str, path: str, body: Any) -> None:
    call = Call(
        org=ORG,
        pages=Pages(),
        ingest=Ingest(ORG),
        deploys=Deploys(ORG),
        method=method,
        path=tuple(path.split("/")),
        version="67.0",
        user_id=ORG.actor.user_id,
        dispatch=rest_routes.dispatch,
        body=body,
    )
    with contextlib.suppress(SalesforceError):  # the one exception that becomes a reply
        assert wire.dumps(rest_routes.dispatch(call).body)
