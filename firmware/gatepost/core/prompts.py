"""What is said and shown in words, in every language that there is: data, and one choice.

A prompt belongs to what was decided (S9): it is chosen by the state's signal, and where that can
have several reasons, by the reason. The wording asks and explains; it accuses nobody (R267, R271).
"""

from gatepost.core.attempt import PASSED_BACK, SHUT
from gatepost.core.screening import Reason
from gatepost.core.signals import Signal
from gatepost.core.states import MODES, OUTPUTS, State
from gatepost.core.visit import Lane
from gatepost_hal.ports import Prompt

_TEXTS = {
    "show_pass": ("请出示通行证", "Please show your pass"),
    "hold_still": (
        "请测量体温，请正对传感器",
        "Please have your temperature taken: face the sensor",
    ),
    "once_more": ("请再测一次，请勿移动", "Once more, please: hold still"),
    "step_back": ("请稍向后退", "Please step back a little"),
    "come_closer": ("请靠近传感器", "Please come closer to the sensor"),
    "bare_forehead": ("请露出额头，靠近传感器", "Please bare your forehead and come closer"),
    "warm_up": (
        "请露出额头；如刚从寒冷处来，请等五分钟",
        "Bare your forehead; if you come from the cold, wait five minutes",
    ),
    "shade_sensor": ("请为传感器遮挡阳光", "Please shade the sensor from the sun"),
    "go": ("请通行", "Please go"),
    "unknown_pass": (
        "通行证未登记，请联系工作人员",
        "This pass is not known here; please ask staff",
    ),
    "pass_used": (
        "该通行证已被使用，请联系工作人员",
        "This pass has been used already; please ask staff",
    ),
    "no_entry": ("暂时不能进入，请联系工作人员", "No entry at the moment; please ask staff"),
    "wait_for_staff": ("请稍候，工作人员会来协助您", "Please wait, staff will come to help you"),
    "locked": (
        "本通道已封闭，请联系工作人员",
        "This entrance is closed by order; please ask staff",
    ),
    "closed": (
        "本通道暂停使用，请走其他通道",
        "This lane is out of service; please use another one",
    ),
    "service": ("设备检修中", "Maintenance under way"),
    "alarm": ("请勿强行通过，请联系工作人员", "Please do not force the way; please ask staff"),
    "evacuate": (
        "紧急情况，请立即撤离，通道已开放",
        "Emergency: please leave now, the way is open",
    ),
}
LANGUAGES = ("zh-CN", "en")
PROMPTS = {
    key: Prompt(key, dict(zip(LANGUAGES, texts, strict=True))) for key, texts in _TEXTS.items()
}

_OF_SIGNAL = {
    Signal.SHOW_PASS: "show_pass",
    Signal.HOLD_STILL: "hold_still",
    Signal.TRY_AGAIN: "once_more",
    Signal.GO: "go",
    Signal.NO_ENTRY: "no_entry",
    Signal.WAIT_FOR_STAFF: "wait_for_staff",
    Signal.LOCKED: "locked",
    Signal.CLOSED: "closed",
    Signal.SERVICE: "service",
    Signal.ALARM: "alarm",
    Signal.EVACUATE: "evacuate",
}
# What somebody can do about an attempt that told nothing.
_OF_REASON = {
    Reason.TOO_NEAR: "step_back",
    Reason.TOO_FAR: "come_closer",
    Reason.NO_FOREHEAD: "bare_forehead",
    Reason.COLD: "warm_up",
    Reason.TOO_HOT: "shade_sensor",
}


def prompt_of(lane: Lane) -> Prompt | None:
    """Return what is said in the state that a lane has just entered; None is nothing."""
    key = _OF_SIGNAL.get(OUTPUTS[lane.state].signal)
    visit = lane.visit
    if lane.state is State.DECIDING:
        key = None  # it lasts as long as the disk takes
    elif lane.state is State.PAUSING and visit.verdict is not None:
        key = _OF_REASON.get(visit.verdict.reason, key)
    elif lane.state is State.REFUSED:
        key = _why_refused(lane)
    return None if key is None else PROMPTS[key]


def _why_refused(lane: Lane) -> str:
    decision = lane.visit.decision
    if decision is SHUT:
        mode = next((mode for standing, mode in MODES.items() if standing in lane.standing), None)
        return "no_entry" if mode is None else _OF_SIGNAL[OUTPUTS[mode.state].signal]
    if decision is PASSED_BACK:
        return "pass_used"
    # Admitted, and the record could not be written; or a pass that nobody knows.
    return "no_entry" if lane.visit.holder is not None else "unknown_pass"
