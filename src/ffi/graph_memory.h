// The memory that CUDA graphs hold.
#pragma once
#include <cstdint>

// Returns the bytes of a device that libtorch counts as free even though only the graphs that reserved them can use
// them.
int64_t geolearn_held_by_graphs(int device);
