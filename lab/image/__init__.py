"""The disks of the lab's machines, built without root from Debian packages and this checkout.

May import: base, hardware (which kernels are installed), services (what a service file says).
images says which disks a run needs, recipe what goes into them, store builds them or takes them from the cache.
A newcomer comes here for another service in the lab (recipe.PACKAGINGS) or another operating system (debian, recipe).
"""
