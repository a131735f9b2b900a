__int64 _InterlockedIncrement64(__int64 volatile *);
void *_InterlockedExchangePointer(void *volatile *, void *);
