/* The buffer of the code's sys.stdout (output_memory.h, and struct progtc_output in control.h).
 *
 * There is one such buffer in a process. Its functions are used without an instance, as methods of the classes in
 * process.py. Bytes are appended while the GIL is held. One thread at a time writes to the pipe, without the GIL, and
 * advances `start` before it takes the GIL again: a process that is killed meanwhile leaves no byte to be printed
 * twice. A write of at most PIPE_BUF bytes is taken as a whole or not at all (pipe(7)). */
#define _GNU_SOURCE
#include "runner/guest/output_memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runner/guest/control.h"

/* In every version's library, in the limited API since 3.10. */
extern const char* PyUnicode_AsUTF8AndSize(PyObject* text, Py_ssize_t* size);  // NOLINT: the name is CPython's

static struct progtc_output* output;
static PyThread_type_lock writing;
static unsigned long writer; /* the thread that holds `writing`; 0: none */
static PyObject* errors;     /* the name of the error handler; NULL: "strict" */
static int is_line_buffered;
static int is_closed;

int progtc_map_output_memory(int fd) {
  void* memory = mmap(NULL, sizeof *output, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -1;
  output = memory;
  return 0;
}

/* Writes one piece from the front of `bytes`, and counts it in `start` where that is not NULL. Returns its size, or -1
 * with an exception; 0 when a signal was handled instead. */
static Py_ssize_t write_piece(const char* bytes, size_t size, uint32_t* start) {
  Py_ssize_t written = -1;
  int error = 0;
  Py_BEGIN_ALLOW_THREADS written = write(STDOUT_FILENO, bytes, size < PIPE_BUF ? size : PIPE_BUF);
  error = errno;
  if (written > 0 && start) *start += (uint32_t)written;
  Py_END_ALLOW_THREADS if (written >= 0) return written;
  if (error == EINTR) return PyErr_CheckSignals();
  errno = error;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

/* Takes the lock. Returns 0, or -1 with an exception in a signal handler that has interrupted the thread that holds it.
 */
static int begin_writing(void) {
  const unsigned long self = PyThread_get_thread_ident();
  if (writer == self) {
    PyErr_SetString(PyExc_RuntimeError, "reentrant call inside <_io.BufferedWriter name='<stdout>'>");
    return -1;
  }
  Py_BEGIN_ALLOW_THREADS PyThread_acquire_lock(writing, WAIT_LOCK);
  Py_END_ALLOW_THREADS writer = self;
  return 0;
}

static void end_writing(void) {
  writer = 0;
  PyThread_release_lock(writing);
}

/* With the lock held: writes the buffer out. Returns 0, or -1 with an exception; then the rest stays in the buffer. */
static int write_buffer(void) {
  while (output->start < output->end)
    if (write_piece(output->bytes + output->start, output->end - output->start, &output->start) == -1) return -1;
  output->start = output->end = 0;
  return 0;
}

static int flush(void) {
  if (output->end == 0) return 0; /* not start == end: the thread that has just written all has yet to make room */
  if (begin_writing() == -1) return -1;
  const int failed = write_buffer();
  end_writing();
  return failed;
}

/* What does not fit into an empty buffer is written past it. Returns 0, or -1 with an exception. */
static int write_past(const char* bytes, size_t size) {
  if (begin_writing() == -1) return -1;
  int failed = write_buffer();
  while (!failed && size > 0) {
    const Py_ssize_t written = write_piece(bytes, size, NULL);
    failed = written == -1 ? -1 : 0;
    if (written > 0) bytes += written, size -= (size_t)written;
  }
  end_writing();
  return failed;
}

/* As a whole, so that threads do not tear each other's lines. Returns 0, or -1 with an exception. */
static int append(const char* bytes, size_t size) {
  if (size > sizeof output->bytes) return write_past(bytes, size);
  while (size > sizeof output->bytes - output->end) /* another thread may have filled it again */
    if (flush() == -1) return -1;
  memcpy(output->bytes + output->end, bytes, size);
  output->end += (uint32_t)size;
  return 0;
}

static int check_open(void) {
  if (!is_closed) return 0;
  PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
  return -1;
}

PyDoc_STRVAR(write_text_doc,
             "output_write_text(text)\n\nTextIOWrapper.write of stdout while its encoding is UTF-8. Returns the number "
             "of characters.");

static PyObject* write_text(PyObject* module, PyObject* text) {
  (void)module;
  if (!PyUnicode_Check(text)) {
    PyObject* name = PyObject_GetAttrString((PyObject*)Py_TYPE(text), "__name__");
    if (name) PyErr_Format(PyExc_TypeError, "write() argument must be str, not %U", name);
    Py_XDECREF(name);
    return NULL;
  }
  if (check_open() == -1) return NULL;
  Py_ssize_t size = 0;
  PyObject* encoded = NULL;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (!bytes) { /* lone surrogates: the error handler's */
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return NULL;
    PyErr_Clear();
    PyObject* handler = errors ? PyUnicode_AsUTF8String(errors) : NULL;
    encoded = PyUnicode_AsEncodedString(text, "utf-8", handler ? PyBytes_AsString(handler) : "strict");
    Py_XDECREF(handler);
    if (!encoded) return NULL;
    char* start = NULL;
    if (PyBytes_AsStringAndSize(encoded, &start, &size) == -1) {
      Py_DECREF(encoded);
      return NULL;
    }
    bytes = start;
  }
  int failed = append(bytes, (size_t)size);
  if (!failed && is_line_buffered && (memchr(bytes, '\n', (size_t)size) || memchr(bytes, '\r', (size_t)size)))
    failed = flush();
  Py_XDECREF(encoded);
  return failed ? NULL : PyLong_FromSsize_t(PyUnicode_GetLength(text));
}

PyDoc_STRVAR(write_bytes_doc,
             "output_write_bytes(bytes)\n\nBufferedWriter.write of stdout. Returns the number of bytes.");

static PyObject* write_bytes(PyObject* module, PyObject* args) {
  (void)module;
  const char* bytes;
  Py_ssize_t size;
  PyObject* object;
  if (!PyArg_ParseTuple(args, "O:write", &object)) return NULL;
  if (PyUnicode_Check(object)) {
    PyErr_SetString(PyExc_TypeError, "a bytes-like object is required, not 'str'");
    return NULL;
  }
  if (check_open() == -1) return NULL;
  /* A bytes object of its own: the buffer protocol joined the stable ABI with 3.11. */
  PyObject* copy = PyBytes_CheckExact(object) ? object : NULL;
  if (copy) {
    Py_INCREF(copy);
  } else {
    PyObject* view = PyMemoryView_FromObject(object);
    copy = view ? PyBytes_FromObject(view) : NULL;
    Py_XDECREF(view);
  }
  char* start = NULL;
  if (!copy || PyBytes_AsStringAndSize(copy, &start, &size) == -1) {
    Py_XDECREF(copy);
    return NULL;
  }
  bytes = start;
  const int failed = append(bytes, (size_t)size);
  Py_DECREF(copy);
  return failed ? NULL : PyLong_FromSsize_t(size);
}

PyDoc_STRVAR(flush_doc, "output_flush()\n\nBufferedWriter.flush of stdout: writes everything out.");

static PyObject* flush_all(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  if (check_open() == -1 || flush() == -1) return NULL;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(set_doc,
             "output_set(errors, line_buffered)\n\nHow text is encoded, and whether each line is written at once.");

static PyObject* set(PyObject* module, PyObject* args) {
  (void)module;
  PyObject* handler;
  int lines;
  if (!PyArg_ParseTuple(args, "Up", &handler, &lines)) return NULL;
  Py_INCREF(handler);
  Py_XDECREF(errors);
  errors = handler;
  is_line_buffered = lines;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(close_doc, "output_close()\n\nFrom here on the stream is closed.");

static PyObject* close_stream(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  is_closed = 1;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(is_there_doc, "output_is_there()\n\nWhether the host sent the memory; makes it ready to be used.");

static PyObject* is_there(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  if (!output) Py_RETURN_FALSE;
  if (!writing) writing = PyThread_allocate_lock();
  return writing ? PyBool_FromLong(1) : PyErr_NoMemory();
}

PyDoc_STRVAR(own_doc,
             "output_own()\n\nIn a child of the code's: gives it a copy of its own, as a forked process has of any "
             "buffer.");

static PyObject* own(PyObject* module, PyObject* unused) {
  (void)module;
  (void)unused;
  if (!output) Py_RETURN_NONE;
  const struct progtc_output held = *output;
  if (mmap(output, sizeof *output, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
      MAP_FAILED)
    return PyErr_SetFromErrno(PyExc_OSError);
  *output = held;
  writer = 0;
  writing = PyThread_allocate_lock(); /* the old one may be held by a thread that is not here */
  return writing ? (Py_INCREF(Py_None), Py_None) : PyErr_NoMemory();
}

PyMethodDef progtc_output_methods[] = {{"output_write_text", write_text, METH_O, write_text_doc},
                                       {"output_write_bytes", write_bytes, METH_VARARGS, write_bytes_doc},
                                       {"output_flush", flush_all, METH_NOARGS, flush_doc},
                                       {"output_set", set, METH_VARARGS, set_doc},
                                       {"output_close", close_stream, METH_NOARGS, close_doc},
                                       {"output_is_there", is_there, METH_NOARGS, is_there_doc},
                                       {"output_own", own, METH_NOARGS, own_doc},
                                       {NULL, NULL, 0, NULL}};
