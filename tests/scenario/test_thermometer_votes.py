"""One person, however often they walk in, has one vote in what the thermometer learns."""

LEARNS = {"learns": True, "offset_c": 2.5}
HALF_A_DAY_S = 12 * 3600.0


def test_one_person_does_not_set_the_offset_of_all(make_stage):
    stage = make_stage(screening=LEARNS)
    for _ in range(50):
        stage.screen(35.6, subject="tester")
    assert stage.gate._sensing.offset.people == 1
    assert stage.gate._sensing.offset.offset_c == LEARNS["offset_c"]


def test_one_person_does_not_put_the_gate_out_of_service(make_stage):
    stage = make_stage(screening=LEARNS)
    for number in range(50):
        stage.screen(34.2 + 0.02 * (number % 10))
    settled_c = stage.gate._sensing.offset.settled_c
    assert settled_c is not None
    for _ in range(60):
        stage.screen(38.5, subject="with a hot pad")
    assert stage.faults == []
    assert stage.screen(34.3)["outcome"] == "admit"
