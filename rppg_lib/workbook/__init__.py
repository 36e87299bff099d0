"""Running the notebooks headless: ``rppg run`` and ``rppg sweep``.

====================  ==================================================================================
``notebook``          find notebooks, read their parameters
``settings``          profiles and ``-p``, checked against the notebook before anything runs
``fingerprint``       what a run depends on, so that a finished one is not repeated
``runner``            several notebooks at a time, one process each
``child``             that process: papermill, one notebook, one kernel
``progress``          a line per notebook, and the report of failures
``verdicts``          what the checks said about the exercises
``sweep*``            many points of one notebook: specification, one point, all of them, the table
====================  ==================================================================================

Each notebook runs in its own folder, as in JupyterLab, and finds in ``$RPPG_OUT`` where products belong; it writes
files through ``rppg_lib`` only.
"""
