// What CUDA graphs hold.
#pragma once
#include <cstdint>

// Bytes of a device that libtorch counts as free to use, although only the graphs that reserved them can use them.
int64_t geolearn_held_by_graphs(int device);
