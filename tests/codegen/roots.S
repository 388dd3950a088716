%% As compilers leave it where a value is not wanted in the end: sums in x0 that nobody reads, but the next operation
%% says that x0 is in use, so the collector looks at it.
{module, roots}.
{exports, [{f,4}]}.
{attributes, []}.
{labels, 3}.

{function, f, 4, 2}.
  {label,1}.
    {func_info,{atom,roots},{atom,f},4}.
  {label,2}.
    {gc_bif,'+',{f,0},4,[{x,3},{integer,8}],{x,0}}.
    {gc_bif,'+',{f,0},4,[{x,3},{integer,9}],{x,0}}.
    {gc_bif,'+',{f,0},4,[{x,3},{x,2}],{x,0}}.
    {test_heap,3,4}.
    {put_tuple2,{x,0},{list,[{x,1},{x,3}]}}.
    return.
