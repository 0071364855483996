"""The words of a regime file. The core has them as well; a test holds the two equal."""

from typing import Literal

Category = Literal[
    "resident", "tenant", "returned_resident", "visitor", "courier", "vehicle", "property_staff",
    "sanitation", "medical", "epidemic_control", "supply", "emergency", "works", "released",
    "close_contact", "sealed_building", "guardian", "unknown",
]  # fmt: skip
Check = Literal[
    "isolation", "mask", "temperature", "health_code", "trip_card", "risk_area", "test", "pass",
    "registered", "escort", "quota", "works", "capacity",
]  # fmt: skip
Finding = Literal[
    "isolated", "release_due", "refuses_observation", "mask_unknown", "no_mask", "unmeasured",
    "near_limit", "hot", "refuses_measuring", "code_unknown", "coded", "coded_tested",
    "trip_unknown", "risk_area", "risk_area_tested", "no_test", "refuses_proof", "no_pass",
    "bad_pass", "unregistered", "no_escort", "no_household", "over_quota", "works_full",
    "works_unknown", "over_capacity", "no_clock",
]  # fmt: skip
Outcome = Literal["admit", "admit_and_report", "recheck", "refer", "redirect", "deny"]

# Whom the documents name (sections 2.8 and 2.9 no. 12 of the rules).
RECIPIENTS = (
    "community", "street", "health_department", "police", "work_team", "cdc",
    "competent_department", "government_department", "residents_committee", "three_person_group",
    "property_office",
)  # fmt: skip
# How soon, in the documents' words. None of them gives minutes for a compound: what is to be told
# "at once" or "promptly" the gate tells at once (ours: it has no reason to wait).
DEADLINES_S = {
    "at once": 0,
    "immediately": 0,
    "in real time": 0,
    "promptly": 0,
    "daily": 86_400,
}
