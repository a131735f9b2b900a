__int64 _InterlockedExchangeAdd64(__int64 volatile *, __int64);
void *_InterlockedExchangePointer(void *volatile *, void *);
