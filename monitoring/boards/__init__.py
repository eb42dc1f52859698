"""The dashboards, one module each: `service`, `measurement`, `redis`, `operator`. Each has one function `board`.

Input: names of metrics. Output: dashboards of the Grafana SDK. Must not know: files.
"""
