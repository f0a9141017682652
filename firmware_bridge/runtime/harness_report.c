#include "harness_report.h"

#include "harness_semihosting.h"

enum { DIGITS = 20 };

/* Digits of a number, of which at least width, and their end. */
static void print_digits(uint64_t number, int width)
{
    char text[DIGITS + 1];
    int first = DIGITS;
    text[first] = '\0';
    while (number != 0 || first > DIGITS - width) {
        text[--first] = (char)('0' + (int)(number % 10u));
        number /= 10u;
    }
    pedal_print(text + first);
}

void pedal_report_text(const char *text)
{
    pedal_print(text);
}

void pedal_report_number(uint64_t number)
{
    print_digits(number, 1);
}

void pedal_report_thousandths(uint64_t thousandths)
{
    print_digits(thousandths / 1000u, 1);
    pedal_print(".");
    print_digits(thousandths % 1000u, 3);
}
