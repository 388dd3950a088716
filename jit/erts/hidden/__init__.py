"""What native code and its glue need of a beam.smp that exports no more than NIFs call, as Debian's since OTP 29.

All is found on the host, in the program's file, by what its code does (`symbols.py`); it is kept by the file's build id
(`builds.py`). The glue looks there, once it has made sure that the running VM has the code that was analysed.
"""
