"""Makes a notification group of the kind that needs no privilege."""
from probe import reach

FAN_CLOEXEC, FAN_REPORT_FID = 1, 0x200
reach("fanotify_init", FAN_CLOEXEC | FAN_REPORT_FID, 0)
