/* exactmean.mean(x): the correctly rounded mean of a contiguous buffer of doubles. */
#include <Python.h>
#include <pycrust_capi.h>
#include <string.h>

static PyObject *mean(PyObject *module, PyObject *x)
{
    Py_buffer view;
    pc_status status;
    double result;

    (void)module;
    if (PyObject_GetBuffer(x, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return NULL;
    if (strcmp(view.format, "d") != 0) {
        PyErr_Format(PyExc_TypeError, "mean: needs doubles, not format '%s'", view.format);
        PyBuffer_Release(&view);
        return NULL;
    }

    Py_BEGIN_ALLOW_THREADS
    status = pycrust_reduce(PC_FLOAT64, view.buf, (size_t)view.len / sizeof(double), PC_MEAN, 0,
                            PC_FLOAT64, &result);
    Py_END_ALLOW_THREADS

    PyBuffer_Release(&view);
    if (status == PC_EMPTY) {
        PyErr_SetString(PyExc_ValueError, "mean: no numbers");
        return NULL;
    }
    return PyFloat_FromDouble(result);
}

static int exec_module(PyObject *module)
{
    (void)module;
    return import_pycrust();
}

static PyMethodDef methods[] = {
    {"mean", mean, METH_O, "The correctly rounded mean of a contiguous buffer of doubles."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "exactmean", NULL, 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_exactmean(void)
{
    return PyModuleDef_Init(&module);
}
