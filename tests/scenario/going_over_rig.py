"""A gate that turns whenever somebody asks it, in virtual time, and starts anew when it is told."""

from types import SimpleNamespace

from gatepost.cli import going_over
from gatepost.cli.main import main
from gatepost.wiring import orders as module
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.news import settings_digest
from gatepost.wiring.orders import Orders
from gatepost_services.control import ControlError

_TURNS = 200


class _Call:
    """A request, as the control socket hands it over."""

    uid = 0

    def __init__(self, request):
        self.request, self.answer = request, None

    def is_waiting(self):
        return True

    def reply(self, answer):
        self.answer = answer


class _Socket:
    def __init__(self):
        self.calls = []

    def take(self, _now_s):
        taken, self.calls = self.calls, []
        return taken

    def close(self):
        pass


class RunningGate:
    """The stage's gate behind its socket, with the settings of a file.

    Attributes:
        script: what happens at the lane, one after the other, at each pause of the command.
        starts: the state of the lane, and what was released, at each start but the first.
        verbs: what it was asked.
        units: what systemd was told.
        returns: whether systemd starts it again.
        lingers: how often it still answers while it ends.
        active_state: what systemd says of it while it does not run.
    """

    def __init__(self, stage, config, patch):
        self.stage, self.config = stage, config
        self.script, self.starts, self.verbs, self.units = [], [], [], []
        self.is_up = self.returns = self.has_systemd = True
        self._is_ending, self.lingers = False, 0
        self.active_state = "inactive"
        self._begin()
        patch.setattr(module, "restart", self._end)
        patch.setattr(going_over, "ask", self.ask)
        patch.setattr(going_over, "systemctl", self._systemctl)
        patch.setattr(
            going_over, "active_state", lambda _unit: "active" if self.is_up else self.active_state
        )
        patch.setattr(
            going_over,
            "time",
            SimpleNamespace(monotonic=stage.world.now_s, sleep=self._pause),
        )

    def _begin(self):
        settings, problem = settings_in_force(self.config)
        self.control = settings.paths.control
        self.orders = Orders(
            self.control,
            self.stage.world,
            settings=settings_digest(settings),
            problem=problem,
        )
        self.orders.close()
        self.orders._socket = self.socket = _Socket()
        around, taken = self.stage.gate._around, self.orders.asked
        others = around.asked
        self.stage.gate._around = around._replace(asked=lambda: [*others(), *taken()])

    def _end(self):
        self._is_ending = True

    def ask(self, path, request, _timeout_s):
        self._go_on()
        if not self.is_up or path != self.control:
            raise ControlError(f"{path}: no such socket") from FileNotFoundError()
        self.verbs.append(request["verb"])
        call = _Call(request)
        self.socket.calls.append(call)
        for _ in range(_TURNS):
            self.stage.gate.turn()
            if call.answer is not None:
                return call.answer
        raise ControlError(f"{path}: no answer") from TimeoutError()

    def _pause(self, seconds):
        if self.script:
            self.script.pop(0)()
        self._go_on()
        self.stage.play(seconds)

    def _go_on(self):
        if self._is_ending and self.lingers:
            self.lingers -= 1
        elif self._is_ending:
            self._is_ending = False
            self.starts.append((self.stage.state, self.stage.released()))
            self.is_up = self.returns
            self.stage.restart()
            self._begin()

    def _systemctl(self, words):
        self.units.append(list(words))
        return self.has_systemd


def gatepost(capsys, *words):
    """Run a command; return its status, what it printed, and what it complained of."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr()
    return status, told.out, told.err
