// Empty stand-in: nothing from this header is used; see ../context.h.
#pragma once
