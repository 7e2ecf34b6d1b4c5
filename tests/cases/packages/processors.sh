# needs: root
# why: os.cpu_count() and the threads of BLAS follow --cpus
# needs: module numpy
# status: 0
# stdout: 1 1 1
# stdout: 1 1 1
# stdout: 7
# stderr: nothing
code='import os, multiprocessing; print(os.cpu_count(), multiprocessing.cpu_count(), os.environ.get("OPENBLAS_NUM_THREADS", 1))'
progtc-run --cpus 1 -c "$code"
progtc-run --policy standard --cpus 1 -c "$code"
progtc-run --policy standard --env OMP_NUM_THREADS=7 -c 'import os; print(os.environ["OMP_NUM_THREADS"])'
