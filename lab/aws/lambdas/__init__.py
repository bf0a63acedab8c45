"""Lambda and its schedules: functions with inline Python code that really run, and the rules that invoke them.

Here: `runner` runs one handler in a child process (`child` is that process), `functions` holds what there is,
`invocations` invokes (for callers, for custom resources, and from a queue with retries), `schedules` are EventBridge's.
A newcomer who needs another event source adds a module beside `schedules` and puts its events into the queue.
"""
