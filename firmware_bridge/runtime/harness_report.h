/* JSON, a piece at a time, without printf. */

#ifndef PEDAL_HARNESS_REPORT_H
#define PEDAL_HARNESS_REPORT_H

#include <stdint.h>

void pedal_report_text(const char *text);

void pedal_report_number(uint64_t number);

/* A number of thousandths, with its three decimals. */
void pedal_report_thousandths(uint64_t thousandths);

#endif
