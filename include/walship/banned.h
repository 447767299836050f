/* banned.h - functions that make unbounded writes or hidden state: using one is a compile error. */
#ifndef WALSHIP_BANNED_H
#define WALSHIP_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets alloca atoi atol atof \
    gmtime localtime ctime asctime

#endif
