# Refused: the model is a statsmodels formula, which no server can be given.

# %%
import pandas as pd
import statsmodels.formula.api as smf
from sklearn.model_selection import train_test_split

# %%
df = pd.read_csv('insurance.csv')
df.head()

# %%
train, test = train_test_split(df, test_size=0.25, random_state=2)

# %%
fit = smf.ols('charges ~ age + bmi + C(smoker) + C(region)', data=train).fit()
print(fit.summary())

# %%
from sklearn.metrics import r2_score
pred = fit.predict(test)
print(r2_score(test['charges'], pred))
