"""A gate that loses its power before fifty people came does not begin anew every day."""


def test_the_first_people_outlast_a_power_cut(make_stage):
    learns = {"learns": True, "offset_c": 2.5}
    stage = make_stage(screening=learns)
    for _ in range(30):
        stage.screen(34.2)
    kept = stage.kept[-1]  # and then the power is gone: nobody stops the gate
    assert kept.people == len(kept.first_c) == 30
    stage = make_stage(screening=learns, offsets={kept.device: kept})
    for _ in range(20):
        stage.screen(34.2)
    assert stage.gate._sensing.offset.settled_c is not None
