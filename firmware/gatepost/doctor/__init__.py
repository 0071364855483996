"""`gatepost doctor`: what is wrong with a gate, what it means for the people there, what to do.

    checks.toml   what each check is called and what it may find, in words: the one place of texts
    table         which checks there are, in their order, and what each needs before it
    model         a check, what it finds, and how all of them are run
    site          what checks look at, through small ports; machine: this machine behind them
    access kernel sensor lines moving store clock certificates broker services    the checks
    report        for people, for programs, for the page firmware/TROUBLESHOOTING.md
    bundle        a file to send to somebody who is to help, without secrets

A check is added with a function, a line in `table` and its texts in `checks.toml`.
"""
