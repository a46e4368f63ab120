/* More places that allocate than the table of sites has rows; in small functions, which compilers like better. */
#include <stdlib.h>

static void *volatile sink;

#define ONE sink = malloc(8); free(sink);
#define TEN ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE
#define FIFTY(name) static __attribute__((noinline)) void name(void) { TEN TEN TEN TEN TEN }
#define OTHER sink = calloc(2, 8); free(sink); sink = realloc(NULL, 5); free(sink);
#define FIVE(do, p) do(p##0) do(p##1) do(p##2) do(p##3) do(p##4)
#define ALL(do) FIVE(do, a) FIVE(do, b) FIVE(do, c) FIVE(do, d) FIVE(do, e) FIVE(do, f) FIVE(do, g) FIVE(do, h) \
    FIVE(do, i) FIVE(do, j)
#define CALL(name) name();

ALL(FIFTY)

int many(void *frame) {
    (void)frame;
    ALL(CALL)
    OTHER OTHER OTHER OTHER OTHER
    return 0;
}
