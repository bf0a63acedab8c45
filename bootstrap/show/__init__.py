"""What this instance shows over HTTP: who holds the lease, whether the service is healthy, why not.

Imports: base and prometheus_client. `view` is all that is shown, `answers` decides what each path says, `metrics` and
`page` write two of the answers, `server` reads requests within bounds. Nothing here changes anything: the room gets a
function that returns the present view. A newcomer comes here to show more, or to show it in another form.
"""
