"""What a person sees of a run: the live screen, and the report as JSON and as a web page.

May import: base and bootstrap.base (files).
model is plain data that others fill; nothing here reads a clock or a machine.
report_json and report_html write the report, live and screen draw the terminal.
A newcomer comes here for another figure of a scene: model, then report_json, report_html and their tests.
"""
