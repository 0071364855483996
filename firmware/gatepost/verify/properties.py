"""The nine safety properties, S1 to S9, in order."""

from gatepost.verify import rules_session  # noqa: F401 - adds its rules to theirs
from gatepost.verify.claims import Property
from gatepost.verify.rules_disk import S5
from gatepost.verify.rules_levels import S3, S6, S7
from gatepost.verify.rules_measure import S4
from gatepost.verify.rules_release import S1, S2
from gatepost.verify.rules_told import S9

# What it says is about the walk as a whole, so it has no rules over single steps.
S8 = Property("S8", "nothing that happens breaks the lane, and no state is a trap")
NEVER_RAISES = ("S8.never_raises", "No event raises an exception, in whatever state it comes.")
BEGINS_SAFELY = ("S8.begins_safely", "A lane that nobody has touched releases nothing.")
NO_TRAP = (
    "S8.no_trap",
    "From every state a way leads to an idle lane, when all that stands ends and time goes by.",
)

PROPERTIES = (S1, S2, S3, S4, S5, S6, S7, S8, S9)
