"""stub"""


def run_task(args): ...
