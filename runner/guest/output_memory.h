#pragma once
/* The buffer of the code's sys.stdout, in memory that the host holds as well: what was printed and not yet written
 * outlives the process, however it ends. docs/decisions/0014-output-buffer-in-shared-memory.md has the reasons. */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x03090000
#endif
#include <Python.h>

/* Maps the file that the host sent. Returns 0, or -1 with errno. Once in the life of a worker, before it has threads.
 */
int progtc_map_output_memory(int fd);

/* The functions of the module `_progtc` that process.py makes stdout of; the last entry is empty. */
extern PyMethodDef progtc_output_methods[];
