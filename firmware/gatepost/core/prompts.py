"""What is said and shown in words, in every language that there is: data, and one choice.

A prompt belongs to what was decided (S9): it is chosen by the state's signal, and where that can
have several reasons, by the reason. The wording asks and explains; it accuses nobody (R267, R271).
"""

from gatepost.core.attempt import PASSED_BACK, SHUT
from gatepost.core.screening import Reason
from gatepost.core.session import Need
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
    "pass_expired": (
        "该通行证已过期，请联系工作人员",
        "This pass has expired; please ask staff",
    ),
    "pass_not_yet": (
        "该通行证尚未生效，请联系工作人员",
        "This pass is not valid yet; please ask staff",
    ),
    "no_entry": ("暂时不能进入，请联系工作人员", "No entry at the moment; please ask staff"),
    "wait_for_staff": ("请稍候，工作人员会来协助您", "Please wait, staff will come to help you"),
    # What the order in force asks for (`gatepost.core.rules`).
    "wear_mask": ("请佩戴口罩", "Please wear a mask"),
    "show_code": ("请向工作人员出示健康码", "Please show your health code to staff"),
    "bring_test": ("请出示有效的核酸检测证明", "Please bring a valid test certificate"),
    "register_first": ("请先到工作人员处登记", "Please register with staff first"),
    # What somebody can show now, when a decision waits for it (`gatepost.core.session`).
    "show_health_code": ("请扫描您的健康码", "Please show your health code to the reader"),
    "show_trip_card": ("请扫描您的行程卡", "Please show your travel card to the reader"),
    "show_test": (
        "请扫描您的核酸检测证明",
        "Please show your test certificate to the reader",
    ),
    "show_escort": (
        "请由陪同人员出示通行证",
        "Whoever brings you in, please show your pass",
    ),
    "bring_escort": ("请由陪同人员带您进入", "Please come with the person who brings you in"),
    "residents_only": (
        "目前仅限本小区居民进入",
        "At the moment only residents can come in",
    ),
    "drop_zone": (
        "请将物品放到指定存放点，由收件人自取",
        "Please leave it at the collection point; the recipient fetches it",
    ),
    "works_full": ("场内施工人数已满", "As many workers as allowed are inside"),
    "works_stopped": ("目前暂停施工", "Works are stopped at the moment"),
    "rest_at_home": (
        "请回家休息，社区会与您联系",
        "Please rest at home; the community will contact you",
    ),
    "see_doctor": ("请前往就近的发热门诊", "Please see the nearest fever clinic"),
    "off_duty": ("今天请勿上岗，请就医", "Please do not go on duty today; see a doctor"),
    "go_out_less": ("请减少外出", "Please go out no more than you must"),
    "avoid_areas": (
        "请佩戴口罩，勿前往疫情地区",
        "Please wear a mask, and keep away from risk areas",
    ),
    "declare_stay": (
        "请向社区登记、申报行程并做核酸检测",
        "Please register with the community, say where you were, and be tested",
    ),
    "wear_armband": ("值守请佩戴袖标", "On duty, please wear your armband"),
    "declare_guests": (
        "家中如有外来人员，请告知办公室",
        "Tell the office if somebody from elsewhere is in your home",
    ),
    "stay_in_cab": (
        "请司机留在车内，由工作人员卸货",
        "Drivers stay in their cab; staff unloads",
    ),
    "cooperate": (
        "请配合测温和查验，否则不能通行",
        "Please help us measure and check; without it nobody can pass",
    ),
    "stay_home": (
        "目前请留在家中，需要帮助请联系社区",
        "Please stay at home for now; the community helps if you need something",
    ),
    "quota_used": (
        "本户近日已外出，请联系社区",
        "Somebody of your household was out already; please ask the community",
    ),
    "no_exit": ("暂时不能外出，请联系工作人员", "No way out at the moment; please ask staff"),
    "other_entrance": ("请走其他通道", "Please use another entrance"),
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
_JOINTS = dict(zip(LANGUAGES, ("。", ". "), strict=True))
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


_OF_NEED = {
    Need.HEALTH_CODE: "show_health_code",
    Need.TRIP_CARD: "show_trip_card",
    Need.TEST: "show_test",
    Need.ESCORT: "show_escort",
}
# Why a signed pass is none here and now (`Refusal` of the service that reads it), where that helps
# its holder; anything else is a pass that is not known.
_OF_REFUSAL = {
    "expired": "pass_expired",
    "not_yet": "pass_not_yet",
    "used": "pass_used",
    "elsewhere": "other_entrance",
    "no_escort": "bring_escort",
}


def prompt_of(lane: Lane) -> Prompt | None:
    """Return what is said in the state that a lane has just entered; None is nothing."""
    key = _OF_SIGNAL.get(OUTPUTS[lane.state].signal)
    visit = lane.visit
    if lane.state is State.AWAITING_PASS and visit.wanted:
        # One after another: each that was shown asks for what is then missing.
        key = _OF_NEED[visit.wanted[0]]
    elif lane.state is State.DECIDING:
        key = None  # it lasts as long as the disk takes
    elif lane.state is State.PAUSING and visit.verdict is not None:
        key = _OF_REASON.get(visit.verdict.reason, key)
    elif lane.state is State.REFUSED:
        key = _why_refused(lane)
    return None if key is None else _with_more(PROMPTS[key], lane)


def _with_more(prompt: Prompt, lane: Lane) -> Prompt:
    """Add what the order in force says besides: that a mask is worn, where a proof is had."""
    more = [PROMPTS[word] for word in _said_by_regime(lane) if word != prompt.key]
    if not more:
        return prompt
    texts = {
        language: joint.join(each.texts[language] for each in (prompt, *more))
        for language, joint in _JOINTS.items()
    }
    return Prompt(prompt.key, texts)


def _said_by_regime(lane: Lane) -> tuple[str, ...]:
    visit = lane.visit
    decision = visit.decision
    if decision is None or decision.regime is None or visit.released_by is not None:
        return ()
    is_let_in = lane.state is State.RELEASED
    # An admission that could not be recorded is refused: nothing of it is said.
    is_told = is_let_in or lane.state in (State.REFUSED, State.REFERRED)
    return decision.say if is_told and decision.release == is_let_in else ()


def _why_refused(lane: Lane) -> str:
    decision = lane.visit.decision
    if said := _said_by_regime(lane):
        return said[0]
    if decision is SHUT:
        mode = next((mode for standing, mode in MODES.items() if standing in lane.standing), None)
        return "no_entry" if mode is None else _OF_SIGNAL[OUTPUTS[mode.state].signal]
    if decision is PASSED_BACK:
        return "pass_used"
    # Admitted, and the record could not be written; or a pass that nobody knows.
    if lane.visit.holder is not None:
        return "no_entry"
    return _OF_REFUSAL.get("" if decision is None else decision.reason, "unknown_pass")
