%% Hand-written: f/1 has nothing behind its test, so control runs into the next function, whose clauses do not match.
{module, runs_on}.
{exports, [{f,1},{g,1}]}.
{attributes, []}.
{labels, 6}.

{function, f, 1, 2}.
  {label,1}.
    {func_info,{atom,runs_on},{atom,f},1}.
  {label,2}.
    {test,is_atom,{f,1},[{x,0}]}.
    {move,{integer,7},{x,0}}.

{function, g, 1, 4}.
  {label,3}.
    {func_info,{atom,runs_on},{atom,g},1}.
  {label,4}.
    {test,is_integer,{f,3},[{x,0}]}.
    return.
