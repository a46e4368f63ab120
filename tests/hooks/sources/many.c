/* More places that allocate than the table of sites has rows. */
#include <stdlib.h>

static void *volatile sink;

#define ONE sink = malloc(8); free(sink);
#define TEN ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define OTHER sink = calloc(2, 8); free(sink); sink = realloc(NULL, 5); free(sink);

int many(void *frame) {
    (void)frame;
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
    OTHER OTHER OTHER OTHER OTHER
    return 0;
}
