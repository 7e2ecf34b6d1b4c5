"""clone3(2) without arguments: its flags lie in memory, where no filter can see them."""
from probe import reach

reach("clone3", None, 0, answers=("EINVAL",))
