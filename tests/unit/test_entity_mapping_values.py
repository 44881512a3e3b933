"""Values of every kind into Salesforce's types: exact or refused; and digests that tell what differs."""

from datetime import date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.to_salesforce import targets
from daemon.to_salesforce.mapping import conversions, digests, records
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.mapping.errors import RecordUnfit, ValueUnfit
from daemon.to_salesforce.mapping.fed import FedField
from daemon.to_salesforce.mapping.records import CustomFields
from daemon.to_salesforce.targets import Naming, TargetField
from tests.entity_examples import ENTITIES

BILL = targets.target("Bill", "Custom Objects")
ACCOUNT = targets.target("Account", "Custom Objects")
COMMITMENT = targets.target("Commitment", "Custom Objects")
NONE = CustomFields()
LINKED = digests.linked(ACCOUNT)


def field(own_name: str) -> TargetField:
    found = BILL.field(own_name) or ACCOUNT.field(own_name) or COMMITMENT.field(own_name)
    assert found is not None
    return found


@given(
    st.decimals(allow_nan=True, allow_infinity=True).filter(lambda value: len(value.as_tuple().digits) <= 15)
)
def test_a_number_that_a_person_entered_is_kept_exactly_or_refused(value: Decimal) -> None:
    try:
        made = conversions.convert(field("Amount"), value)
    except ValueUnfit:
        digits = value.as_tuple().exponent if value.is_finite() else 0
        assert not value.is_finite() or abs(value) >= 10**13 or (isinstance(digits, int) and digits < -5)
        return
    assert made == value
    assert "E" not in str(made)
    assert isinstance(made, Decimal)
    exponent = made.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -5 <= exponent <= 0


@given(st.integers(min_value=-(10**14), max_value=10**14), st.integers(min_value=0, max_value=9))
def test_cents_are_never_rounded(units: int, places: int) -> None:
    value = Decimal(units).scaleb(-places)
    fits = abs(value) < 10**13 and value * 10**5 == (value * 10**5).to_integral_value()
    if fits:
        assert conversions.convert(field("Amount"), value) == value
    else:
        with pytest.raises(ValueUnfit):
            conversions.convert(field("Amount"), value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("10.330000000000002", "10.33"),
        ("0.30000000000000004", "0.3"),
        ("-1234.5600000000002", "-1234.56"),
        ("2.9999999999999996", "3"),
        ("1234567.000001", None),  # 13 digits: as a person entered it
        ("10.3300100000000002", "10.33001"),
        ("10.330001000000002", None),  # too much of it to be noise
        ("0.0000000000000001234567890123456", None),
    ],
)
def test_only_the_noise_of_binary_numbers_is_rounded_away(value: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(ValueUnfit, match="more than 5 digits after the point"):
            conversions.convert(field("Amount"), Decimal(value))
    else:
        made = conversions.convert(field("Amount"), Decimal(value))
        assert made == Decimal(kept)
        assert made.as_tuple().exponent == -5


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("10.330000000000002", "10.33000"),
        ("0.123455", "0.12346"),
        ("0.123445", "0.12344"),
        ("-0.000001", "0.00000"),
        ("9999999999999.99999", "9999999999999.99999"),
        ("1E-400", "0.00000"),
    ],
)
def test_what_m3ter_computes_is_rounded_half_to_even(value: str, kept: str) -> None:
    assert str(conversions.convert(field("Total"), Decimal(value))) == kept


def test_only_amounts_that_nobody_enters_are_computed() -> None:
    found = [
        f"{target.entity_type}.{each.own_name}"
        for target in targets.every("Custom Objects")
        for each in target.fields
        if each.is_computed
    ]
    assert found == ["Commitment.Amount_Spent", "Balance.Amount", "Bill.Total"]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_a_computed_amount_is_never_further_than_half_of_its_last_digit(value: Decimal) -> None:
    made = conversions.convert(field("Total"), value)
    with localcontext(Context(prec=200)):
        assert abs(made - value) <= Decimal("0.000005")
    assert "E" not in str(made)


@given(st.text(max_size=120))
def test_a_text_has_room_or_is_refused(value: str) -> None:
    code = field("Code")
    try:
        made = conversions.convert(code, value)
    except ValueUnfit:
        assert conversions.measure(value) > code.length
        return
    assert made is None or conversions.measure(made) <= code.length
    assert (made or "") == conversions.clean(value)
    assert "\0" not in (made or "")
    (made or "").encode()


@given(st.text(alphabet=st.sampled_from("ab \n\U0001f600é"), max_size=400))
def test_a_shortened_name_has_room(value: str) -> None:
    made = conversions.shortened(value, 80)
    assert conversions.measure(made) <= 80
    assert made == value or (made.endswith("…") and value.startswith(made[:-1]))


@given(st.dates(min_value=date(1701, 1, 1), max_value=date(3999, 12, 31)))
def test_the_last_day_is_the_day_before_an_exclusive_end(end: date) -> None:
    last_day = field("Last_Day")
    before = (end - timedelta(days=1)).isoformat()
    assert conversions.last_day(last_day, end.isoformat()) == before
    assert conversions.last_day(last_day, f"{end}T00:00:00Z") == before
    assert conversions.last_day(last_day, f"{end}T00:00:00.001Z") == end.isoformat()


@given(st.datetimes(datetime(1701, 1, 1), datetime(3999, 12, 31)), st.integers(min_value=-14, max_value=14))  # noqa: DTZ001 - the offset is added below
def test_an_instant_is_told_in_utc(at: datetime, offset: int) -> None:
    given_ = f"{at.isoformat()}{'-' if offset < 0 else '+'}{abs(offset):02d}:00"
    made = conversions.convert(field("Made_At"), given_)
    assert made.endswith("Z")
    moved = at - timedelta(hours=offset)
    assert made == f"{moved.isoformat(timespec='milliseconds')}Z"


@pytest.mark.parametrize(
    ("own_name", "value", "made"),
    [
        ("Made_At", "2026-01-01T00:00:00", "2026-01-01T00:00:00.000Z"),
        ("Made_At", "2026-01-01", "2026-01-01T00:00:00.000Z"),
        ("Bill_Date", "2026-01-01T00:00:00Z", "2026-01-01"),
        ("Bill_Date", "", None),
        ("Locked", None, False),
        ("Code", "", None),
        ("Code", 12, "12"),
        ("Total", Decimal("1E+3"), Decimal(1000)),
        ("Total", Decimal("1.5000000000"), Decimal("1.5")),
        ("Total", Decimal("0E-10"), Decimal(0)),
    ],
)
def test_other_spellings_of_a_value(own_name: str, value: Any, made: Any) -> None:
    assert conversions.convert(field(own_name), value) == made


def test_a_moment_within_a_day_is_no_date() -> None:
    with pytest.raises(ValueUnfit, match="within a day"):
        conversions.convert(field("Bill_Date"), "2026-01-01T10:00:00Z")


@given(st.dictionaries(st.sampled_from(sorted(ENTITIES["Bill"])), st.none() | st.text() | st.integers()))
def test_any_bill_is_mapped_or_refused_by_name(changed: dict[str, Any]) -> None:
    refused: tuple[str, ...] = ()
    try:
        digests.digest(BILL.object_name, records.record(BILL, ENTITIES["Bill"] | changed, NONE, Links()))
    except RecordUnfit as unfit:
        refused = unfit.fields
    assert set(refused) <= {each.name for each in BILL.fields}


def test_a_digest_tells_what_is_written_and_nothing_else() -> None:
    made = records.record(BILL, ENTITIES["Bill"], NONE, Links())
    same = dict(reversed(made.items())) | {"Total__c": Decimal("13.570")}
    assert digests.digest("x", made) == digests.digest("x", same)
    others = [made | {"Total__c": Decimal("13.58")}, made | {"Status__c": None}, made | {"Locked__c": False}]
    prints = {digests.digest("x", each) for each in [made, *others]} | {digests.digest("y", made)}
    assert len(prints) == 5


def test_a_fingerprint_changes_with_all_that_makes_another_record() -> None:
    own = Naming(names={"Custom Objects": {"Bill.Total": "Sum__c"}})
    renamed = targets.target("Bill", "Custom Objects", own)
    elsewhere = targets.target("Bill", "m3ter Connector")
    prints = [digests.fingerprint(each, NONE) for each in (BILL, renamed, elsewhere, ACCOUNT)]
    named = {"a": "A__c"}
    prints += [digests.fingerprint(ACCOUNT, CustomFields(named))]
    for kind in ("string", "double"):
        prints += [digests.fingerprint(ACCOUNT, CustomFields(named, {"a__c": FedField(kind)}))]
    assert len(set(prints)) == 7
    assert digests.fingerprint(targets.target("Bill", "Custom Objects"), NONE) == prints[0]


def test_what_an_entity_was_mapped_with_tells_its_links() -> None:
    account = ENTITIES["Account"]
    known = [
        digests.mapped_with("f", LINKED, account, links)
        for links in (
            Links(),
            Links({account["id"]: "001a"}),
            Links({account["id"]: "001b"}),
            Links(uncopied_ids={"account-parent"}),
        )
    ]
    assert known[0] == "f"
    assert len(set(known)) == 4
    assert digests.mapped_with("f", LINKED, account, Links({"another": "001a"})) == "f"
