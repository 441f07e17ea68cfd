// File: tools/plant/troubles.h
//
// What goes wrong between instruments and the historian, as functions of a seed, an area's gateway and the
// time:
//
//   link outages   a gateway loses its link for 2 to 15 minutes and delivers what it kept when it is back.
//                  About one span of six hours in two.
//   wrong clocks   a gateway's clock is off by -90 to +90 seconds for half an hour, until somebody sets it.
//                  About one day in four.
#ifndef HISTORIAN_TOOLS_PLANT_TROUBLES_H_
#define HISTORIAN_TOOLS_PLANT_TROUBLES_H_

#include <cstdint>

#include "storage/model/timestamp.h"

namespace historian::plant {

// When what is measured at `t` is delivered: t itself, or the end of the outage that t lies in.
Timestamp DeliveredAt(uint64_t seed, int area, Timestamp t);

// How far the gateway's clock is off, in ns.
int64_t ClockError(uint64_t seed, int area, Timestamp t);

}  // namespace historian::plant

#endif  // HISTORIAN_TOOLS_PLANT_TROUBLES_H_
