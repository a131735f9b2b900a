/* The functions of pycrust.h for our extension modules: out of the table of pycrust._core. Under
 * their own names, so that what calls them reads like any C. */
#ifndef PYCRUST_CORE_H
#define PYCRUST_CORE_H

#include <Python.h>

#include "core_table.h"

static const pc_core_table *core;

/* 0, or -1 with an exception set. */
static inline int import_core(void)
{
    PyObject *module = PyImport_ImportModule("pycrust._core");
    PyObject *capsule = module ? PyObject_GetAttrString(module, "_C_API") : NULL;
    core = capsule ? (const pc_core_table *)PyCapsule_GetPointer(capsule, "pycrust._core._C_API") : NULL;
    Py_XDECREF(capsule);
    Py_XDECREF(module);
    if (core && core->size != sizeof *core) {
        PyErr_SetString(PyExc_ImportError, "the extension modules of pycrust are of different builds");
        core = NULL;
    }
    return core ? 0 : -1;
}

#define pc_simd_names core->simd_names
#define pc_simd_usable core->simd_usable
#define pc_simd core->simd
#define pc_simd_use core->simd_use
#define pc_walk_to core->walk_to
#define pc_walk_stops core->walk_stops
#define pc_walk_each core->walk_each
#define pc_walk_even core->walk_even
#define pc_sums_from_even core->sums_from_even
#define pc_formula core->formula
#define pc_formula_many core->formula_many
#define pc_round_many core->round_many
#define pc_accumulator_clear core->accumulator_clear
#define pc_accumulator_clear_certified core->accumulator_clear_certified
#define pc_accumulator_merge core->accumulator_merge
#define pc_accumulator_scale core->accumulator_scale
#define pc_accumulator_special core->accumulator_special
#define pc_accumulator_make_special core->accumulator_make_special
#define pc_accumulator_export core->accumulator_export
#define pc_accumulator_import core->accumulator_import
#define pc_accumulator_round core->accumulator_round
#define pc_round_words core->round_words
#define pc_add_numbers core->add_numbers
#define pc_result_of core->result_of
#define pc_uncertain_sums core->uncertain_sums
#define pc_array_arrange core->array_arrange
#define pc_array_positions core->array_positions
#define pc_array_depth core->array_depth
#define pc_array_certifiable core->array_certifiable
#define pc_array_panel core->array_panel
#define pc_add_panel core->add_panel
#define pc_write_panel core->write_panel
#define pc_reduce core->reduce

#endif
