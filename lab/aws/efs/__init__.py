"""EFS: file systems and mount targets that are `creating` before they are `available`.

Here: the API's life cycle (`file_systems`) and views for the file server.
A newcomer who models another state of a file system changes `file_systems` alone.
"""
