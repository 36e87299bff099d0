"""How things look in every figure: truth is black, a method keeps its colour and marker."""

from __future__ import annotations

from importlib.resources import as_file, files

import matplotlib.pyplot as plt

METHOD_LOOKS = {
    "green": ("#009E73", "s"), "chrom": ("#E69F00", "^"), "pos": ("#0072B2", "o"), "pbv": ("#CC79A7", "D"),
    "lgi": ("#56B4E9", "v"), "omit": ("#D55E00", "P"), "ica": ("#7F7F7F", "X"),
}
"""Colour and marker of each method, everywhere."""

NETWORK_LOOKS = {
    "physnet": ("#882255", "v"), "factorizephys": ("#117733", "s"), "efficientphys": ("#CC6677", "D"),
    "tscan": ("#999933", "P"), "deepphys": ("#661100", "X"), "physformer": ("#332288", "^"),
    "rhythmmamba": ("#44AA99", "<"), "codephys": ("#DDAA33", "h"), "codequery": ("#88CCEE", "H"),
    "lqrppg": ("#AA00FF", "p"), "kdphys": ("#CC3311", "*"),
    "rfacenet": ("#55CC22", "d"),
}
"""The same for networks; colours are Paul Tol's. A control such as ``physnet, untrained`` has a grey of its own."""

TRUTH = "black"
VERDICT_LOOKS = {"good": ("#009E73", 0.10, ""), "doubtful": ("#E69F00", 0.25, ""), "broken": ("#D55E00", 0.35, "///")}
"""Colour, opacity and hatching of a piece of a label, by its verdict."""
CHANNEL_COLOURS = ("#C8442F", "#009E73", "#0072B2")
UNITS = {"mae": "mean absolute error (bpm)", "rmse": "root mean square error (bpm)", "mape": "mean absolute error (%)",
         "r": "correlation of rates", "sd": "spread of the error (bpm)", "snr_db": "signal-to-noise ratio (dB)",
         "macc": "waveform correlation"}


def use_style() -> None:
    """Set the workbook's look for all figures of this session."""
    with as_file(files("rppg_lib") / "workbook.mplstyle") as path:
        plt.style.use(path)


def method_look(name: str) -> tuple[str, str]:
    """Return colour and marker of a method or network; a new one gets a dark grey star, a control a light one."""
    if ", " in name:
        return "#999999", NETWORK_LOOKS.get(name.split(", ")[0], ("", "*"))[1]
    return (METHOD_LOOKS | NETWORK_LOOKS).get(name, ("#444444", "*"))
