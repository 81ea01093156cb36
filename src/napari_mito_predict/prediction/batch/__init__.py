"""Many images with the same models: found, opened, predicted and written, one after the other or by many workers.

`predict_batch` does so in this process, `predict_on_cluster` on workers of dask.distributed; both give an `Outcome` for
each image. What one of them cannot predict stops no other.
"""
