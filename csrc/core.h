/* The functions of pycrust.h for pycrust's own extension modules: macros map each name to the
 * table of pycrust._core. */
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
    core = capsule ? (const pc_core_table *)PyCapsule_GetPointer(capsule, "pycrust._core._C_API")
                   : NULL;
    Py_XDECREF(capsule);
    Py_XDECREF(module);
    if (core && core->size != sizeof *core) {
        PyErr_SetString(
            PyExc_ImportError,
            "the extension modules of pycrust come from different builds: reinstall pycrust");
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
#define pc_closed_form core->closed_form
#define pc_closed_form_many core->closed_form_many
#define pc_round_many core->round_many
#define pc_accumulator_clear core->accumulator_clear
#define pc_accumulator_clear_bounded core->accumulator_clear_bounded
#define pc_accumulator_merge core->accumulator_merge
#define pc_accumulator_scale core->accumulator_scale
#define pc_accumulator_nonfinite core->accumulator_nonfinite
#define pc_accumulator_add_nonfinite core->accumulator_add_nonfinite
#define pc_accumulator_export core->accumulator_export
#define pc_accumulator_import core->accumulator_import
#define pc_accumulator_round core->accumulator_round
#define pc_round_words core->round_words
#define pc_add_numbers core->add_numbers
#define pc_reduce_contiguous core->reduce_contiguous
#define pc_rounding_test_failures core->rounding_test_failures
#define pc_array_arrange core->array_arrange
#define pc_merge_axes core->merge_axes
#define pc_array_outputs core->array_outputs
#define pc_array_reduction_length core->array_reduction_length
#define pc_array_boundable core->array_boundable
#define pc_array_tile core->array_tile
#define pc_add_tile core->add_tile
#define pc_write_tile core->write_tile
#define pc_add_vector_pairs core->add_vector_pairs
#define pc_round_covariance core->round_covariance
#define pc_round_correlation core->round_correlation
#define pc_reduce core->reduce
#define pc_move_state_size core->move_state_size
#define pc_move core->move
#define pc_move_add core->move_add
#define pc_move_carry core->move_carry
#define pc_cumulate core->cumulate
#define pc_states_add core->states_add
#define pc_states_add_tile core->states_add_tile
#define pc_states_merge core->states_merge
#define pc_states_get core->states_get
#define pc_states_normalize core->states_normalize
#define pc_states_round core->states_round
#define pc_states_add_labelled core->states_add_labelled
#define pc_sorted_suited core->sorted_suited
#define pc_reduce_sorted core->reduce_sorted

#endif
